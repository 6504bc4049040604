import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisClientConfig;
import redis.clients.jedis.JedisSentinelPool;
import redis.clients.jedis.RedisProtocol;

/** Jedis against Sentinel: see tests/clients.rs for what each program does. */
public final class Client {
    private static JedisClientConfig config(String password) {
        DefaultJedisClientConfig.Builder builder = DefaultJedisClientConfig.builder()
                .connectionTimeoutMillis(1000)
                .socketTimeoutMillis(1000)
                .protocol("3".equals(System.getenv("PROTOCOL")) ? RedisProtocol.RESP3 : RedisProtocol.RESP2);
        if (password != null && !password.isEmpty()) {
            builder.password(password);
        }
        return builder.build();
    }

    /** What a replica that a Sentinel names says: its role and the seed. */
    private static String readReplica(Set<HostAndPort> sentinels, String group, JedisClientConfig ask, JedisClientConfig data) {
        try (Jedis sentinel = new Jedis(sentinels.iterator().next(), ask)) {
            List<Map<String, String>> replicas = sentinel.sentinelReplicas(group);
            Map<String, String> row = replicas.get(0);
            HostAndPort address = new HostAndPort(row.get("ip"), Integer.parseInt(row.get("port")));
            try (Jedis replica = new Jedis(address, data)) {
                String role = replica.info("replication").contains("role:slave") ? "slave" : "other";
                return role + " " + replica.get("seed");
            }
        }
    }

    public static void main(String[] arguments) throws InterruptedException {
        String group = System.getenv("GROUP");
        Set<HostAndPort> sentinels = new LinkedHashSet<>();
        for (String address : System.getenv("SENTINELS").split(",")) {
            sentinels.add(HostAndPort.from(address));
        }
        JedisClientConfig data = config(System.getenv("PASSWORD"));
        JedisClientConfig ask = config(System.getenv("SENTINEL_PASSWORD"));
        boolean read = false;
        long count = 0;
        try (JedisSentinelPool pool = new JedisSentinelPool(group, sentinels, data, ask)) {
            while (true) {
                try (Jedis primary = pool.getResource()) {
                    if (!read) {
                        primary.set("java:read", readReplica(sentinels, group, ask, data));
                        read = true;
                    }
                    count++;
                    primary.set("java:count", Long.toString(count));
                } catch (RuntimeException error) {
                    System.out.println(System.currentTimeMillis() + " " + error);
                }
                Thread.sleep(20);
            }
        }
    }
}
