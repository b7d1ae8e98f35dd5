import { inspectStore } from "../../inspection.ts";
import type { Finding } from "../../storage/finding.ts";
import { configOption, withApplication, type Application } from "../application.ts";
import { defineCommand, UsageError, type CliIo, type ExitCode } from "../command.ts";
import { checkUrl } from "../url-check.ts";

/** `latchkey doctor`: what is wrong, or soon will be, with the configuration, its store, and the application at a URL. */
export const doctorCommand = defineCommand({
  name: "doctor",
  summary: "Looks at the configuration and its store, and says what is wrong and how to put it right",
  details: ["Ends with 1 when there is a problem. Reads only, but for --url: that makes one guest session there, and ends it."],
  options: {
    config: configOption,
    url: { type: "string", value: "url", summary: "Ask the running application too: cookies, proxies, where it is mounted" },
  },
  run({ config, url }, io) {
    const target = url === null ? null : parseUrl(url);
    return withApplication<ExitCode>(config, io, async (application) => {
      const findings = [...(await examine(application, target, io))].sort((a, b) => LEVELS.indexOf(a.level) - LEVELS.indexOf(b.level));
      for (const { level, code, message, fix } of findings) io.out(`${level}: ${message}${fix === null ? "" : `; ${fix}`} [${code}]`);
      const count = (level: Finding["level"]) => findings.filter((finding) => finding.level === level).length;
      io.out(LEVELS.map((level) => `${count(level)} ${level}${count(level) === 1 ? "" : "s"}`).join(", "));
      return count("problem") > 0 ? 1 : 0;
    });
  },
});

const LEVELS: readonly Finding["level"][] = ["problem", "warning", "note"];

async function examine({ auth, store }: Application, url: URL | null, io: CliIo): Promise<readonly Finding[]> {
  if (!auth) {
    if (url) throw new UsageError("--url needs a configuration that exports `auth`: it looks for what the application keeps");
    return inspectStore(store);
  }
  const inspection = await auth.inspect();
  const callbacks = inspection.callbackUrls.map(({ provider, url: callback }): Finding => {
    return {
      code: "callback_url",
      level: "note",
      message: `${provider} sends people back to ${callback}`,
      fix: "register it there, letter by letter",
    };
  });
  return [...inspection.findings, ...callbacks, ...(url ? await checkUrl(url, { auth, inspection, io }) : [])];
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol)) throw new UsageError(`--url is written as https://app.example.com, not "${text}"`);
  return url;
}
