// What the applications under Node share: `node APP.mjs HOST PORT`, packages found through NODE_PATH.
//
// Deadlines are generous and only guard against hanging; what is checked does not depend on the machine's speed.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, join } from "node:path";

export const require = createRequire(import.meta.url);
export const host = process.argv[2];
export const port = Number(process.argv[3]);
export const app = basename(process.argv[1], ".mjs");

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Of a package that does not let its package.json be required. */
export function versionOf(name) {
  return JSON.parse(readFileSync(join(process.env.NODE_PATH, name, "package.json"))).version;
}

/** Tells what has been shown; a section that says nothing has shown nothing. */
export function checked(what) {
  console.log(`${app}: ${what}`);
}

/** Waits until `condition` gives something true, and gives that. */
export async function until(what, condition, seconds = 60) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const got = await condition();
    if (got) return got;
    assert.ok(Date.now() < end, `not within ${seconds} s: ${what}`);
    await sleep(20);
  }
}

/** The commands by which scripts are run. */
const SCRIPTS = ["eval", "evalsha", "fcall"];

/** How many times the server was asked for these commands. */
async function callsOf(redis, commands) {
  const stats = (await redis.info("commandstats")).matchAll(/^cmdstat_([^:]+):calls=(\d+),/gm);
  return [...stats].reduce((total, [, name, calls]) => total + (commands.includes(name) ? Number(calls) : 0), 0);
}

/** Runs a whole application: it must have used one of these commands, and be done within `seconds`. */
export async function run(redis, version, seconds, body, uses = SCRIPTS) {
  setTimeout(() => {
    console.error(`${app}: no end after ${seconds} s`);
    process.exit(1);
  }, seconds * 1000).unref();
  await redis.flushall();
  const before = await callsOf(redis, uses);
  await body();
  const calls = (await callsOf(redis, uses)) - before;
  assert.ok(calls > 0, `no call of ${uses.join("/")}`);
  await redis.flushall();
  await redis.quit();
  console.log(`${app} ${version}: ok, ${calls} calls of ${uses.join("/")}`);
  // What an application leaves open must not keep the run alive.
  process.exit(0);
}
