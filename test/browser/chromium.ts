import { existsSync, readFileSync } from "node:fs";
import { chromium, type Browser, type Page } from "playwright-core";

const PATHS = [process.env["CHROME_PATH"], "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** The browser that is installed. Its profile is a temporary folder, gone when it closes. */
export function launchBrowser(): Promise<Browser> {
  const executablePath = PATHS.find((path) => path !== undefined && existsSync(path));
  if (executablePath === undefined) throw new Error("There is no Chromium: install it, or say in CHROME_PATH where it is");
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
    ],
  });
}

/** What a page complains about while it is used: errors of scripts, resources that fail, whatever its policy blocks. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  return complaints;
}

const barriers = readFileSync(new URL("barriers.js", import.meta.url), "utf8");

/** What on a page somebody with a screen reader, a keyboard or a small window would stumble over. */
export function barriersOn(page: Page): Promise<string[]> {
  return page.evaluate<string[]>(barriers);
}
