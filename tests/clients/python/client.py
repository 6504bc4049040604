"""redis-py against Sentinel: see tests/clients.rs for what each program does."""

import os
import time

from redis.exceptions import RedisError
from redis.sentinel import Sentinel

addresses = [tuple(address.rsplit(":", 1)) for address in os.environ["SENTINELS"].split(",")]
group = os.environ["GROUP"]
protocol = int(os.environ["PROTOCOL"])
options = {"protocol": protocol, "socket_timeout": 1.0}
sentinel_options = dict(options)
if os.environ.get("PASSWORD"):
    options["password"] = os.environ["PASSWORD"]
if os.environ.get("SENTINEL_PASSWORD"):
    sentinel_options["password"] = os.environ["SENTINEL_PASSWORD"]

sentinel = Sentinel([(host, int(port)) for host, port in addresses], sentinel_kwargs=sentinel_options, **options)
primary = sentinel.master_for(group)
replica = sentinel.slave_for(group)

count = 0
read = False
while True:
    try:
        if not read:
            role = replica.role()[0].decode()
            seed = replica.get("seed").decode()
            primary.set("python:read", f"{role} {seed}")
            read = True
        count += 1
        primary.set("python:count", count)
    except RedisError as error:
        print(f"{time.time():.3f} {error!r}", flush=True)
    time.sleep(0.02)
