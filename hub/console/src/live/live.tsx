// The stream's hooks, and what its events change in the query cache.
import { useQueryClient, type QueryClient } from "@tanstack/react-query";
import {
  createContext,
  useContext,
  useEffect,
  useRef,
  useState,
  useSyncExternalStore,
  type ReactNode,
} from "react";

import { keys } from "../api/queries";
import type { Gateway, Point } from "../api/types";
import { patchGateway, patchPoint, patchPoints } from "./patch";
import { LiveStream, type LiveEvent, type LiveValue, type Source, type StreamState } from "./stream";

const PATCH_EVERY_MS = 200;
/** A line that goes down takes twenty devices along: their lists are asked for once. */
const ASK_AFTER_MS = 400;
/** A site that loses its network takes its whole fleet along, over minutes: lists are asked for no more often. */
const ASK_EVERY_MS = 2000;

const LiveContext = createContext<LiveStream | undefined>(undefined);

export function LiveProvider({ children, open }: { children: ReactNode; open?: (url: string) => Source }) {
  const client = useQueryClient();
  const [stream] = useState(
    () => new LiveStream(open ?? ((url) => new EventSource(url) as unknown as Source)),
  );
  useEffect(() => {
    const stopPatching = patchCache(stream, client);
    const onVisibility = () => stream.setHidden(document.hidden);
    document.addEventListener("visibilitychange", onVisibility);
    stream.start();
    return () => {
      document.removeEventListener("visibilitychange", onVisibility);
      stopPatching();
      stream.stop();
    };
  }, [stream, client]);
  return <LiveContext value={stream}>{children}</LiveContext>;
}

/** Collects values for a moment and patches once: a hundred points a second must not draw the page a hundred times. */
export function patchCache(stream: LiveStream, client: QueryClient): () => void {
  let values = new Map<number, LiveValue>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stale = new Map<string, readonly unknown[]>();
  let asking: ReturnType<typeof setTimeout> | undefined;
  let asked = -ASK_EVERY_MS;
  const ask = (...which: (readonly unknown[])[]) => {
    for (const key of which) stale.set(JSON.stringify(key), key);
    const wait = Math.max(ASK_AFTER_MS, asked + ASK_EVERY_MS - performance.now());
    asking ??= setTimeout(() => {
      asking = undefined;
      asked = performance.now();
      for (const queryKey of stale.values()) void client.invalidateQueries({ queryKey });
      stale.clear();
    }, wait);
  };
  const flush = () => {
    timer = undefined;
    const batch = values;
    values = new Map();
    client.setQueriesData<Point[] | Point>({ queryKey: ["points"] }, (held) => {
      if (!held) return held;
      return Array.isArray(held) ? patchPoints(held, batch) : patchPoint(held, batch.get(held.id));
    });
  };
  const unsubscribe = stream.subscribe((event: LiveEvent) => {
    switch (event.kind) {
      case "value":
        values.set(event.data.point, event.data);
        timer ??= setTimeout(flush, PATCH_EVERY_MS);
        return;
      case "gateway": {
        const { id, state } = event.data;
        client.setQueryData<Gateway[]>(keys.gateways, (held) => held?.map((g) => patchGateway(g, id, state)));
        client.setQueryData<Gateway>(keys.gateway(id), (held) => held && patchGateway(held, id, state));
        ask(keys.gateways, keys.gateway(id));
        return;
      }
      case "event": {
        const { gateway } = event.data;
        ask(gateway ? keys.events(gateway) : ["events"], keys.devices, ["device"]);
        return;
      }
      case "site":
        ask(keys.sites);
        return;
      case "command":
        ask(keys.commands);
        return;
      case "configuration":
        ask(keys.configuration(event.data.gateway));
        return;
      case "catalogue":
        ask(keys.devices, ["device"], ["points"], keys.gateways);
        return;
      case "lost":
        // The hub ends the stream of a session that is over: whether it is, only the session itself tells.
        void client.refetchQueries({ queryKey: keys.session, type: "active" });
        return;
      case "resumed":
        void client.invalidateQueries();
    }
  });
  return () => {
    clearTimeout(timer);
    clearTimeout(asking);
    unsubscribe();
  };
}

/** Keeps the values of these points coming while the component is on the page. */
export function useWatch(points: readonly number[]): void {
  const stream = useContext(LiveContext);
  const wanted = points.join(",");
  useEffect(() => {
    if (!stream || wanted === "") return undefined;
    return stream.watch(wanted.split(",").map(Number));
  }, [stream, wanted]);
}

/** Calls back with each live value as it comes. */
export function useLiveValues(handle: (value: LiveValue) => void): void {
  const stream = useContext(LiveContext);
  const latest = useRef(handle);
  useEffect(() => {
    latest.current = handle;
  });
  useEffect(
    () =>
      stream?.subscribe((event) => {
        if (event.kind === "value") latest.current(event.data);
      }),
    [stream],
  );
}

const nothing = () => () => undefined;
export function useStreamState(): StreamState {
  const stream = useContext(LiveContext);
  return useSyncExternalStore(stream?.onState ?? nothing, stream?.getState ?? (() => "off" as const));
}
