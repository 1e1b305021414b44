-- Renews a lease for ARGV[2] ms, or frees it if that is 0. Returns 1, or 0 if ARGV[1] is not the holder.

if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
