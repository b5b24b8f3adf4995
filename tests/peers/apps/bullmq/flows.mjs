// Parents and their children, in several queues.

import assert from "node:assert/strict";
import { checked, sleep } from "../shared.mjs";
import { counts, flowProducer, queue, worker } from "./queues.mjs";

export async function childrenFirst(redis, when = "") {
  const at = when.replaceAll(" ", "-");
  const [roots, middles, leaves] = ["roots", "middles", "leaves"].map((name) => queue(`${name}${at}`));
  const ended = [];
  const sum = async (job) => {
    const children = Object.values(await job.getChildrenValues());
    ended.push(job.name);
    return children.reduce((total, each) => total + each, job.data.number ?? 0);
  };
  const flow = flowProducer();
  const added = await flow.addBulk(
    Array.from({ length: 5 }, (_, root) => ({
      name: `root:${root}`,
      queueName: roots.name,
      children: Array.from({ length: 3 }, (_, middle) => ({
        name: `middle:${root}.${middle}`,
        queueName: middles.name,
        children: Array.from({ length: 4 }, (_, number) => ({
          name: `leaf:${root}.${middle}.${number}`,
          queueName: leaves.name,
          data: { number: root * 100 + middle * 10 + number },
        })),
      })),
    })),
  );
  await counts(roots, { "waiting-children": 5 });
  await counts(middles, { "waiting-children": 15 });
  await counts(leaves, { waiting: 60 });
  const tree = await flow.getFlow({ id: added[2].job.id, queueName: roots.name });
  assert.deepEqual([tree.job.name, tree.children.length, tree.children[0].children.length], ["root:2", 3, 4]);
  assert.deepEqual(await added[2].job.getDependenciesCount(), { failed: 0, ignored: 0, processed: 0, unprocessed: 3 });
  [roots, middles].forEach((each) => worker(each.name, sum, { concurrency: 3 }));
  await sleep(300);
  assert.deepEqual(ended, [], "a parent ran before its children");
  worker(leaves.name, sum, { concurrency: 5 });
  await counts(roots, { completed: 5 });
  await counts(middles, { completed: 15 });
  await counts(leaves, { completed: 60 });
  assert.equal(ended.length, 80);
  assert.equal(new Set(ended).size, 80);
  for (const [index, name] of ended.entries()) {
    const parent = name.replace(/^leaf:(.*)\.\d$/, "middle:$1").replace(/^middle:(\d)\.\d$/, "root:$1");
    if (parent !== name) assert.ok(ended.indexOf(parent) > index, `${parent} ran before ${name}`);
  }
  for (const job of await roots.getCompleted()) {
    const root = Number(job.name.split(":")[1]);
    assert.equal(job.returnvalue, 12 * root * 100 + 4 * (0 + 10 + 20) + 3 * (0 + 1 + 2 + 3));
  }
  checked(`5 flows of 16 jobs in three queues: children before parents, their results with them ${when}`.trimEnd());
}

export async function failingChildren() {
  const parents = queue("parents-of-failures");
  const children = queue("failures");
  const fail = (name, opts) => ({ name, queueName: children.name, opts });
  const parent = (name, ...kids) => ({ name, queueName: parents.name, children: kids });
  const flow = flowProducer();
  await flow.add(parent("fails", fail("bad", { failParentOnFailure: true })));
  await flow.add(parent("ignores", fail("bad", { ignoreDependencyOnFailure: true }), fail("good", {})));
  await flow.add(parent("forgets", fail("bad", { removeDependencyOnFailure: true }), fail("good", {})));
  await flow.add(parent("waits", fail("bad", {}), fail("good", {})));
  const ran = new Map();
  worker(parents.name, async (job) => {
    const [values, ignored] = [await job.getChildrenValues(), await job.getIgnoredChildrenFailures()];
    ran.set(job.name, [Object.values(values), Object.values(ignored)]);
  });
  worker(children.name, async (job) => {
    if (job.name === "bad") throw new Error("no good");
    return "fine";
  });
  await counts(children, { completed: 3, failed: 4 });
  await counts(parents, { completed: 2, failed: 1, "waiting-children": 1 });
  assert.deepEqual(Object.fromEntries(ran), { ignores: [["fine"], ["no good"]], forgets: [["fine"], []] });
  const [failed] = await parents.getFailed();
  assert.deepEqual([failed.name, /^child bull:failures:.* failed$/.test(failed.failedReason)], ["fails", true]);
  const [waiting] = await parents.getWaitingChildren();
  assert.deepEqual(await waiting.getDependenciesCount(), { failed: 0, ignored: 0, processed: 1, unprocessed: 1 });
  checked("children that fail: parents fail, go on or wait, as asked for");
}

export async function removedWithChildren() {
  const [tops, kids] = [queue("tops"), queue("kids")];
  const flow = flowProducer();
  const child = (name) => ({ name, queueName: kids.name });
  const added = [];
  for (const name of ["stays", "goes"]) {
    added.push(await flow.add({ name, queueName: tops.name, children: [child("one"), child("two")] }));
  }
  assert.equal(await tops.remove(added[1].job.id, { removeChildren: true }), 1);
  await counts(tops, { "waiting-children": 1 });
  await counts(kids, { waiting: 2 });
  await kids.remove(added[0].children[0].job.id);
  await kids.remove(added[0].children[1].job.id);
  await counts(tops, { waiting: 1 });
  checked("removed parents take children with them; a parent without children left may run");
}
