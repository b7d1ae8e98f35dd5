import { isIP, isIPv4, isIPv6 } from "node:net";

/**
 * The IP address in what stands for a client's: itself, or before the port that some proxies (Azure's, IIS) write behind it. An IPv4 address
 * mapped into IPv6, as `::ffff:203.0.113.7`, is written as what it is. `null` for anything else, which a client may have made up.
 */
export function clientAddress(text: string | null | undefined): string | null {
  if (!text) return null;
  const [, v6] = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(text) ?? [];
  const [, v4] = /^([\d.]+):\d{1,5}$/.exec(text) ?? [];
  const address = (v6 !== undefined && isIPv6(v6) ? v6 : v4 !== undefined && isIPv4(v4) ? v4 : text).replace(/^::ffff:(?=[\d.]+$)/i, "");
  return isIP(address) === 0 ? null : address;
}
