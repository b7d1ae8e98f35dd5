/** What we need of `fetch`; the global one fits. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;
