export { routed, type RoutedOptions } from "./routed-store.ts";
