import { describe, expect, it } from "vitest";
import { safeReturnTo } from "../../lib/http/return-to.ts";

const APP = "https://app.example.com";
const follow = (target: string | undefined, allowed: readonly string[] = []) => safeReturnTo(target, APP, new Set(allowed));

describe("a safe place to return to", () => {
  it("is a path of ours, or lies on an origin that is listed", () => {
    expect(follow("/a/b?c=d#e")).toBe("/a/b?c=d#e");
    expect(follow(`${APP}/a`)).toBe("/a");
    expect(follow("https://other.example/a", ["https://other.example"])).toBe("https://other.example/a");
    expect(follow("http://localhost:5173/a", ["http://localhost:5173"])).toBe("http://localhost:5173/a");
  });

  it.each([
    ["nothing", undefined],
    ["an empty text", ""],
    ["what begins like a host", "//app.example.com/a"],
    ["a backslash", "/a\\b"],
    ["a tab", "/\ta"],
    ["a line break", "/a\r\nb"],
    ["a C1 control", "/a\u0085b"],
    ["credentials of our own origin", "https://user:password@app.example.com/"],
    ["a name before our own host", "https://user@app.example.com/"],
    ["our host by http", "http://app.example.com/"],
    ["another port", "https://app.example.com:444/"],
    ["an origin that is not listed", "https://other.example/"],
    ["no http", "javascript:alert(1)"],
    ["no URL", "https://["],
    ["more than 2,048 characters", `/${"a".repeat(2048)}`],
  ])("rule 39: is not %s", (_what, target) => {
    expect(follow(target, ["https://third.example"])).toBeNull();
  });

  it.each(["/..//evil.example", "/.//evil.example", `${APP}//evil.example`, "/a/..//..///evil.example"])(
    "rule 39: does not become another host when it is resolved: %s",
    (target) => {
      expect(follow(target)).toMatch(/^\/[^/]/);
    },
  );
});
