// One event stream per tab, shared by everything on the page. It carries the values of the points that somebody
// looks at, and every change of a gateway. A hidden tab lets go of it: browsers allow six per host on HTTP/1.1.

export interface LiveValue {
  point: number;
  at: string;
  value: number | string | null;
  quality: string;
}
export type StreamState = "off" | "connecting" | "live" | "lost";

type Listener = (event: LiveEvent) => void;
export type LiveEvent =
  | { kind: "value"; data: LiveValue }
  | { kind: "gateway"; data: { id: string; state: string } }
  | { kind: "event"; data: { gateway?: string } }
  | { kind: "site" }
  | { kind: "catalogue" }
  | { kind: "command" }
  | { kind: "configuration"; data: { gateway: string } }
  /** The stream broke off; a stream does not say why, so whoever cares has to ask. */
  | { kind: "lost" }
  /** The stream is back after a loss: what was missed has to be asked for. */
  | { kind: "resumed" };

/** The part of EventSource that is used; tests hand in their own. */
export interface Source {
  onopen: (() => void) | null;
  onerror: (() => void) | null;
  addEventListener: (name: string, handler: (event: { data: string }) => void) => void;
  close: () => void;
}

const SETTLE_MS = 250;
const RETRY_MS = [1000, 2000, 5000, 10_000, 30_000];
const HIDDEN_MS = 30_000;
/** The hub sends a beat every 15 s. A connection that is silent for so long is dead, whatever the browser thinks. */
export const SILENCE_MS = 40_000;

export class LiveStream {
  private readonly watched = new Map<number, number>();
  private readonly listeners = new Set<Listener>();
  private readonly stateListeners = new Set<() => void>();
  private source: Source | undefined;
  /** Those that stood before; they stay until the present one stands, so that no value is missed between them. */
  private readonly former = new Set<Source>();
  private url = "";
  private state: StreamState = "off";
  private started = false;
  private hidden = false;
  private tries = 0;
  private wasLost = false;
  /** Since there was no connection, something may have happened that nobody was told. */
  private missed = false;
  private settle: ReturnType<typeof setTimeout> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private hide: ReturnType<typeof setTimeout> | undefined;
  private silence: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly open: (url: string) => Source) {}

  start(): void {
    if (this.started) return;
    this.started = true;
    this.connect();
  }

  stop(): void {
    this.started = false;
    for (const timer of [this.settle, this.retry, this.hide]) clearTimeout(timer);
    this.settle = this.retry = this.hide = undefined;
    this.letGo();
    this.tries = 0;
    this.wasLost = this.missed = false;
    this.setState("off");
  }

  /** A tab that nobody sees lets go after a while and takes up again when it is seen. */
  setHidden(hidden: boolean): void {
    clearTimeout(this.hide);
    this.hide = undefined;
    this.hidden = hidden;
    if (!this.started) return;
    if (hidden) {
      this.hide = setTimeout(() => {
        clearTimeout(this.retry);
        this.letGo();
        this.missed = true;
      }, HIDDEN_MS);
    } else if (!this.source) {
      this.connect();
    }
  }

  /** Asks for the values of these points until the returned function is called. */
  watch(points: readonly number[]): () => void {
    for (const id of points) this.watched.set(id, (this.watched.get(id) ?? 0) + 1);
    this.changed();
    return () => {
      for (const id of points) {
        const left = (this.watched.get(id) ?? 0) - 1;
        if (left > 0) this.watched.set(id, left);
        else this.watched.delete(id);
      }
      this.changed();
    };
  }

  subscribe(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  onState = (listener: () => void): (() => void) => {
    this.stateListeners.add(listener);
    return () => this.stateListeners.delete(listener);
  };
  getState = (): StreamState => this.state;

  private changed(): void {
    if (!this.started) return;
    clearTimeout(this.settle);
    this.settle = setTimeout(() => {
      // Without a connection the next one takes the new wish along: after a loss when it is tried again, and of a
      // hidden tab when it is seen.
      if (this.source) this.connect();
    }, SETTLE_MS);
  }

  private address(): string {
    const points = [...this.watched.keys()].sort((a, b) => a - b);
    return points.length === 0 ? "/api/v1/live" : `/api/v1/live?points=${points.join(",")}`;
  }

  private connect(): void {
    const url = this.address();
    if (this.source && url === this.url) return;
    clearTimeout(this.retry);
    if (this.source) this.former.add(this.source);
    else this.setState(this.wasLost ? "lost" : "connecting");
    const source = this.open(url);
    this.source = source;
    this.url = url;
    // One that never opens is dead as well.
    this.hear();
    source.onopen = () => {
      if (this.source !== source) return;
      this.hear();
      this.endFormer();
      this.tries = 0;
      this.setState("live");
      if (this.missed) this.emit({ kind: "resumed" });
      this.wasLost = this.missed = false;
    };
    source.onerror = () => {
      if (this.source === source) this.fail();
      // One of before broke off while the present one still opens: nothing is lost with it.
      else if (this.former.delete(source)) source.close();
    };
    const listen = (name: string, handle: (data: unknown) => void) =>
      this.listen(source, name, (data) => {
        if (this.source === source) this.hear();
        handle(data);
      });
    listen("beat", () => undefined);
    listen("value", (data) => this.emit({ kind: "value", data: data as LiveValue }));
    listen("gateway", (data) => this.emit({ kind: "gateway", data: data as { id: string; state: string } }));
    listen("event", (data) => this.emit({ kind: "event", data: data as { gateway?: string } }));
    listen("site", () => this.emit({ kind: "site" }));
    listen("catalogue", () => this.emit({ kind: "catalogue" }));
    listen("command", () => this.emit({ kind: "command" }));
    listen("configuration", (data) =>
      this.emit({ kind: "configuration", data: data as { gateway: string } }),
    );
  }

  /** Every sign of life puts off the moment at which the connection counts as dead. */
  private hear(): void {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.fail(), SILENCE_MS);
  }

  private fail(): void {
    this.letGo();
    this.wasLost = this.missed = true;
    this.setState("lost");
    const wait = RETRY_MS[Math.min(this.tries, RETRY_MS.length - 1)] ?? 30_000;
    this.tries += 1;
    // A tab that nobody sees tries again when it is seen.
    if (this.started && !this.hidden) this.retry = setTimeout(() => this.connect(), wait);
    this.emit({ kind: "lost" });
  }

  private letGo(): void {
    clearTimeout(this.silence);
    this.endFormer();
    this.source?.close();
    this.source = undefined;
    this.url = "";
  }

  private endFormer(): void {
    for (const each of this.former) each.close();
    this.former.clear();
  }

  private listen(source: Source, name: string, handle: (data: unknown) => void): void {
    source.addEventListener(name, (event) => {
      let data: unknown;
      try {
        data = JSON.parse(event.data || "null");
      } catch {
        // A newer hub may send what this page does not know: the next refetch brings it.
        return;
      }
      handle(data);
    });
  }

  private emit(event: LiveEvent): void {
    for (const listener of this.listeners) listener(event);
  }

  private setState(state: StreamState): void {
    if (state === this.state) return;
    this.state = state;
    for (const listener of this.stateListeners) listener();
  }
}
