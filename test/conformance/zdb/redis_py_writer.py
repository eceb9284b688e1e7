"""Writes keys that begin with a name as fast as it is answered, prints those that were acknowledged, until its input ends."""
import sys
import threading
import redis

url, name = sys.argv[1:]
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
client = redis.Redis.from_url(url)
number = 0
while not ended.is_set():
    key = "%s-%d" % (name, number)
    number += 1
    try:
        client.set(key, name)
        print(key, flush=True)
    except redis.exceptions.RedisError:
        ended.wait(0.02)
