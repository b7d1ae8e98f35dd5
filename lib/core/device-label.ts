import Bowser from "bowser";

const MAX_LENGTH = 80;
const MAX_AGENT = 512;

/** What a person would call the device behind a User-Agent header: `Chrome on macOS`; `null` when it says nothing. At most 80 characters. */
export function deviceLabel(userAgent: string | null): string | null {
  if (!userAgent) return null;
  const { browser, os } = Bowser.parse(userAgent.slice(0, MAX_AGENT));
  const label = [browser.name, os.name].filter(Boolean).join(" on ");
  return label ? label.slice(0, MAX_LENGTH) : null;
}
