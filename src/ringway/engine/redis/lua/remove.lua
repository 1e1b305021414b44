-- Removes the publications of a channel. Its newest offset stays known, so that only a reader that has it misses nothing.

expire()
return redis.call('DEL', KEYS[1])
