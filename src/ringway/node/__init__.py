"""The channel node: a server that holds client connections and speaks the Centrifuge client protocol."""
