"""Faults under load: thousands of clients, publishers that number what they send, processes killed, and a verdict.

    scripts/bench chaos [NAME] [--help]

`workload` starts publishers and clients as processes of their own; a scenario does something to the system meanwhile;
`ringway.testing.delivery` judges what every client saw against what was published.
"""
