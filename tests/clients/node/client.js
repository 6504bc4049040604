// ioredis against Sentinel: see tests/clients.rs for what each program does.
const { Redis } = require("ioredis");

const sentinels = process.env.SENTINELS.split(",").map((address) => {
  const at = address.lastIndexOf(":");
  return { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
});
const options = {
  sentinels,
  name: process.env.GROUP,
  password: process.env.PASSWORD || undefined,
  sentinelPassword: process.env.SENTINEL_PASSWORD || undefined,
  protocol: Number(process.env.PROTOCOL),
  commandTimeout: 1000,
};
const log = (error) => console.log(Date.now(), String(error));

async function main() {
  const primary = new Redis(options);
  const replica = new Redis({ ...options, role: "slave" });
  primary.on("error", log);
  replica.on("error", log);
  let read = false;
  let count = 0;
  for (;;) {
    try {
      if (!read) {
        const role = await replica.call("ROLE");
        const seed = await replica.get("seed");
        await primary.set("node:read", `${role[0]} ${seed}`);
        read = true;
      }
      count += 1;
      await primary.set("node:count", count);
    } catch (error) {
      log(error);
    }
    await new Promise((done) => setTimeout(done, 20));
  }
}

main();
