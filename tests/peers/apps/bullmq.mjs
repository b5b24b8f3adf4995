// Stock BullMQ against a server: `node bullmq.mjs HOST PORT`, found through NODE_PATH. Empties that server.
//
// The sections have queues of their own and run beside each other.

import * as flows from "./bullmq/flows.mjs";
import * as jobs from "./bullmq/jobs.mjs";
import * as limits from "./bullmq/limits.mjs";
import * as order from "./bullmq/order.mjs";
import * as removal from "./bullmq/removal.mjs";
import * as repeated from "./bullmq/repeated.mjs";
import * as retries from "./bullmq/retries.mjs";
import { closeAll, connect, connectByNodeRedis, lost, version } from "./bullmq/queues.mjs";
import { run } from "./shared.mjs";

const redis = connect();
if (process.argv[4] === "lose") {
  await lost(process.argv[5]);
} else {
  await run(redis, version, 140, async () => {
    const sections = [flows, jobs, limits, order, removal, repeated, retries];
    await Promise.all(sections.flatMap((section) => Object.values(section)).map((section) => section(redis)));
    // Those scripts that the clients believe to be there are gone; they must notice.
    await redis.script("FLUSH");
    await jobs.everyJobOnce(redis, "after SCRIPT FLUSH");
    await flows.childrenFirst(redis, "after SCRIPT FLUSH");
    await jobs.everyJobOnce(redis, "by node-redis", { connection: await connectByNodeRedis() });
    await closeAll();
  });
}
