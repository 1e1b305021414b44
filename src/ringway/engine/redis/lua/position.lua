-- Returns the epoch and the newest offset.

expire()
return {epoch, digits(newest)}
