-- Returns the epoch and the newest offset.

return {epoch, digits(newest)}
