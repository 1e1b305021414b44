// Runs the vectors of tests/conformance against RingwaySocket: its network and its time are in the hands of the test.

const real = { setTimeout, clearTimeout, now: Date.now };

/** Let all that can happen without time passing happen. */
async function settle() {
  for (let turn = 0; turn < 5; turn++) await new Promise((done) => setImmediate(done));
}

/** A clock that stands still; it takes the place of the global one. */
class Clock {
  now = 1_000_000;
  #timers = new Map();
  #next = 1;

  install() {
    globalThis.setTimeout = (work, ms = 0) => {
      this.#timers.set(this.#next, { work, at: this.now + Math.max(0, ms) });
      return this.#next++;
    };
    globalThis.clearTimeout = (id) => void this.#timers.delete(id);
    Date.now = () => this.now;
  }

  remove() {
    Object.assign(globalThis, { setTimeout: real.setTimeout, clearTimeout: real.clearTimeout });
    Date.now = real.now;
  }

  async pass(ms) {
    const end = this.now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.now = Math.max(this.now, due[1].at);
      due[1].work();
      await settle();
    }
    this.now = end;
  }
}

export class Timeline {
  clock = new Clock();
  seen = [];
  questions = [];
  handshakes = [];
  transport; // the present one

  constructor(kase, RingwaySocket) {
    this.case = kase;
    const random = [...(kase.random ?? [])];
    const timeline = this;

    /** A browser's WebSocket that writes down what is done with it. */
    class Transport {
      readyState = 0;
      protocol = "";
      extensions = "";
      bufferedAmount = 0;
      binaryType = "blob";
      onopen = null;
      onmessage = null;
      onerror = null;
      onclose = null;
      constructor(url) {
        this.mark = new URL(url).searchParams.get("moves") ?? "";
        timeline.note("connect", this.mark ? url.replace(this.mark, "*") : url);
        timeline.handshakes.push(this);
      }
      send(data) {
        if (this.readyState !== 1) throw new Error(`sent in state ${this.readyState}: ${data}`);
        timeline.note("transmit", data);
      }
      close(code, reason) {
        const state = this.readyState;
        this.readyState = 2;
        if (state !== 1) return;
        if (code === 1000 && reason && reason === this.mark) timeline.note("answer", true);
        else if (code !== undefined) timeline.note("close", [code, reason]);
      }
      end(code, reason, wasClean) {
        this.readyState = 3;
        this.onclose?.({ code, reason, wasClean });
      }
    }

    this.Socket = RingwaySocket.with({
      gateways: kase.gateways,
      ...(kase.key ? { key: kase.key } : {}),
      transport: Transport,
      fetch: (url, { signal }) => {
        this.note("ask", url);
        return new Promise((resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
          this.questions.push({ resolve, reject });
        });
      },
      random: () => {
        if (!random.length) throw new Error("more was drawn than the case says");
        return random.shift();
      },
      onEvent: (event) => event.type === "moved" && this.note("moved", event.to),
    });
  }

  note(action, value) {
    this.seen.push({ [action]: value });
  }

  /** Carry the steps out; after each `check` is called with what was done and what must have been. */
  async run(check) {
    this.clock.install();
    try {
      for (const { then, ...step } of this.case.steps) {
        const [[event, value]] = Object.entries(step);
        this.seen = [];
        await this[event](value);
        await settle();
        check(this.seen, then, `after ${event} ${JSON.stringify(value).slice(0, 100)}`);
      }
    } finally {
      this.clock.remove();
    }
  }

  open() {
    let opened = false;
    const socket = (this.socket = new this.Socket("ws://in.place.of/the/gateways", this.case.protocols ?? []));
    socket.onopen = () => {
      opened = true;
      this.note("opened", socket.protocol);
    };
    socket.onmessage = ({ data }) => this.note("message", data);
    socket.onclose = ({ code, reason }) => {
      if (opened) this.note("closed", [code, reason]);
      else this.note("failed", true);
      if (opened && this.case.again) this.open();
    };
  }

  respond(answer) {
    const { resolve, reject } = this.questions.shift();
    if (answer === null) return reject(new TypeError("fetch failed"));
    const { status, body, text = JSON.stringify(body), headers = {} } = answer;
    resolve(new Response(text, { status, headers }));
  }

  accept(protocol) {
    const transport = (this.transport = this.handshakes.shift());
    Object.assign(transport, { readyState: 1, protocol });
    transport.onopen?.();
  }

  accept_moving({ protocol, node, ticket }) {
    this.accept(protocol);
    this.signal({ node, ticket });
  }

  refuse() {
    const transport = this.handshakes.shift();
    transport.onerror?.();
    transport.end(1006, "", false);
  }

  arrive(data) {
    this.transport.onmessage?.({ data, origin: "" });
  }

  signal({ node, ticket }) {
    this.arrive(`${this.transport.mark} move ${node} ${ticket}`);
  }

  hang_up([code, reason]) {
    this.transport.end(code, reason, true);
  }

  lose() {
    this.transport.end(1006, "", false);
  }

  send(text) {
    this.socket.send(text);
  }

  send_bytes(count) {
    this.send("x".repeat(count));
  }

  shut([code, reason]) {
    this.socket.close(code, reason);
  }

  pass_ms(ms) {
    return this.clock.pass(ms);
  }
}
