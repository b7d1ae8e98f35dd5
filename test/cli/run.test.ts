import { describe, expect, it } from "vitest";
import { defineCommand } from "../../lib/cli/command.ts";
import { StorageError } from "../../lib/errors.ts";
import { runLatchkey } from "./cli-run.ts";

const seen: unknown[] = [];
const paint = defineCommand({
  name: "paint wall",
  summary: "Paints a wall",
  details: ["It has to be dry."],
  options: {
    colour: { type: "string", value: "name", choices: ["red", "blue"], required: true, summary: "Of the wall" },
    brush: { type: "string", value: "file", summary: "What with" },
    twice: { type: "boolean", summary: "Two coats" },
  },
  async run(values) {
    seen.push(values);
    if (values.brush === "lost") throw new StorageError("There is no brush", { cause: new Error("the shelf is empty") });
    return 0;
  },
});
const run = (...args: string[]) => runLatchkey(args, { commands: [paint] });

describe("the command line", () => {
  it("parses what a command declares; what was not given is null, or false", async () => {
    seen.length = 0;
    expect((await run("paint", "wall", "--colour=red")).code).toBe(0);
    expect((await run("paint", "wall", "--twice", "--colour", "blue", "--brush", "b")).code).toBe(0);
    expect(seen).toEqual([
      { colour: "red", brush: null, twice: false },
      { colour: "blue", brush: "b", twice: true },
    ]);
  });

  it("makes its help of what commands declare", async () => {
    const { code, out } = await run("--help");
    expect([code, out]).toEqual([0, expect.stringMatching(/^Usage: latchkey <command>[^]*\n {2}paint wall {2}Paints a wall\n/)]);
    const own = await run("paint", "wall", "--help");
    expect(own.out.split("\n")).toEqual([
      "Usage: latchkey paint wall --colour red|blue [--brush <file>] [--twice]",
      "",
      "Paints a wall",
      "",
      "It has to be dry.",
      "",
      "  --colour red|blue  Of the wall",
      "  --brush <file>     What with",
      "  --twice            Two coats",
    ]);
    expect((await run("--version")).out).toBe("1.2.3");
  });

  it.each([
    [[], "Usage: latchkey"],
    [["pant"], 'there is no command "pant"'],
    [["paint"], '"paint" is not the whole command: paint wall'],
    [["--colour", "red"], "give the command before its options"],
    [["paint", "wall"], "paint wall needs --colour red|blue"],
    [["paint", "wall", "--colour"], "--colour needs a value: --colour red|blue"],
    [["paint", "wall", "--colour", "--twice"], "--colour needs a value"],
    [["paint", "wall", "--colour", "green"], '--colour is one of red, blue, not "green"'],
    [["paint", "wall", "--color", "red"], "has no option --color; did you mean --colour?"],
    [["paint", "wall", "-c", "red"], "has no option -c"],
    [["paint", "wall", "--colour", "red", "--colour", "red"], "--colour is given twice"],
    [["paint", "wall", "--colour", "red", "--twice=no"], "--twice takes no value"],
    [["paint", "wall", "--colour", "red", "again"], '"again" is too much'],
  ])("called as %j says on stderr what is wrong, and ends with 2", async (args, message) => {
    const { code, out, err } = await run(...args);
    expect([code, out, err]).toEqual([2, "", expect.stringContaining(message)]);
  });

  it("prints what would command a terminal as text, and one line as one", async () => {
    const brush = "\u001b[2Jb\r\u202e\u009b";
    const told = await runLatchkey(["paint", "wall", "--colour", "red", brush], { commands: [paint] });
    expect(told.err.split("\n")[0]).toBe(
      'latchkey: "\\u001b[2Jb\\u000d\\u202e\\u009b" is too much: latchkey paint wall takes options alone',
    );
  });

  it("cuts a line that has no end", async () => {
    const { err } = await run("paint", "wall", "//a:".repeat(500_000));
    expect(err.length).toBeLessThan(5000);
  });

  it.each(["postgres://ada:pa/s@s@db.example.com/app", "https://ada:pa/s@s@example.com"])(
    "rule 42: prints no password of %s",
    async (url) => {
      const { err } = await run("paint", "wall", url);
      expect(err).toContain("//ada:***@");
      expect(err).not.toContain("pa/s");
    },
  );

  it("ends with 1 when a command fails, and says why and what was underneath", async () => {
    const { code, out, err } = await run("paint", "wall", "--colour", "red", "--brush", "lost");
    expect([code, out, err]).toEqual([1, "", "latchkey: There is no brush\n  because: the shelf is empty"]);
  });
});
