"""Faults under load: thousands of clients, publishers that number their messages, killed processes, and a verdict.

    scripts/bench chaos [NAME] [--help]

`workload` starts publishers and clients as processes of their own; a scenario injects faults into the system meanwhile;
`ringway.testing.delivery` compares each client's messages with the publications.
"""
