"""Balance of connections over nodes: `plan` decides the moves, `pace` their rate, `guard` when moves are forbidden.

`leader_round` combines a leader's decisions, round by round.
"""
