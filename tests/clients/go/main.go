// go-redis against Sentinel: see tests/clients.rs for what each program does.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

func options(replica bool) *redis.FailoverOptions {
	protocol, err := strconv.Atoi(os.Getenv("PROTOCOL"))
	if err != nil {
		panic(err)
	}
	return &redis.FailoverOptions{
		MasterName:       os.Getenv("GROUP"),
		SentinelAddrs:    strings.Split(os.Getenv("SENTINELS"), ","),
		SentinelPassword: os.Getenv("SENTINEL_PASSWORD"),
		Password:         os.Getenv("PASSWORD"),
		Protocol:         protocol,
		ReplicaOnly:      replica,
		DialTimeout:      time.Second,
		ReadTimeout:      time.Second,
	}
}

func main() {
	ctx := context.Background()
	primary := redis.NewFailoverClient(options(false))
	replica := redis.NewFailoverClient(options(true))
	read := false
	for count := 1; ; {
		if err := step(ctx, primary, replica, &read, &count); err != nil {
			fmt.Println(time.Now().Format(time.StampMilli), err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func step(ctx context.Context, primary, replica *redis.Client, read *bool, count *int) error {
	if !*read {
		role, err := replica.Do(ctx, "ROLE").Slice()
		if err != nil {
			return err
		}
		seed, err := replica.Get(ctx, "seed").Result()
		if err != nil {
			return err
		}
		if err := primary.Set(ctx, "go:read", fmt.Sprint(role[0], " ", seed), 0).Err(); err != nil {
			return err
		}
		*read = true
	}
	*count++
	return primary.Set(ctx, "go:count", *count, 0).Err()
}
