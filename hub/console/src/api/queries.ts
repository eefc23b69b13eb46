// What several features read: one key and one road per list. Acts that change something stand in their feature.
import { infiniteQueryOptions, queryOptions, type QueryClient } from "@tanstack/react-query";

import { api, take, takeAll } from "./client";
import type { Command } from "./types";

const LIMIT = 500;
const MINUTE = 60_000;
const EVENTS_AT_ONCE = 20;
const COMMANDS_AT_ONCE = 50;

export const keys = {
  session: ["session"],
  setup: ["setup"],
  sites: ["sites"],
  gateways: ["gateways"],
  gateway: (id: string) => ["gateway", id],
  events: (gateway: string) => ["events", gateway],
  aside: (gateway: string, batch: string) => ["aside", gateway, batch],
  configuration: (gateway: string) => ["configuration", gateway],
  devices: ["devices"],
  device: (id: string) => ["device", id],
  points: (device: string) => ["points", "of", device],
  point: (id: number) => ["points", "one", id],
  commands: ["commands"],
  command: (id: string) => ["commands", "one", id],
} as const;

export const sessionQuery = queryOptions({
  queryKey: keys.session,
  queryFn: ({ signal }) => take(api.GET("/api/v1/session", { signal })),
  staleTime: 5 * MINUTE,
  retry: false,
});

export const setupQuery = queryOptions({
  queryKey: keys.setup,
  queryFn: ({ signal }) => take(api.GET("/api/v1/setup", { signal })),
  retry: false,
});

export const sitesQuery = queryOptions({
  queryKey: keys.sites,
  queryFn: ({ signal }) =>
    takeAll((after) =>
      take(api.GET("/api/v1/sites", { params: { query: { limit: LIMIT, after } }, signal })),
    ),
  staleTime: MINUTE,
});

export const gatewaysQuery = queryOptions({
  queryKey: keys.gateways,
  queryFn: ({ signal }) =>
    takeAll((after) =>
      take(api.GET("/api/v1/gateways", { params: { query: { limit: LIMIT, after } }, signal })),
    ),
  refetchInterval: 30_000,
});

export const gatewayQuery = (id: string) =>
  queryOptions({
    queryKey: keys.gateway(id),
    queryFn: ({ signal }) => take(api.GET("/api/v1/gateways/{id}", { params: { path: { id } }, signal })),
    refetchInterval: 10_000,
  });

const askEvents = (id: string, limit: number, after: string | undefined, signal: AbortSignal) =>
  take(
    api.GET("/api/v1/gateways/{id}/events", { params: { path: { id }, query: { limit, after } }, signal }),
  );

/** The last ones. */
export const eventsQuery = (id: string, limit: number) =>
  queryOptions({
    queryKey: [...keys.events(id), limit],
    queryFn: ({ signal }) => askEvents(id, limit, undefined, signal),
  });

/** All of them, page by page. */
export const eventPagesQuery = (id: string) =>
  infiniteQueryOptions({
    queryKey: [...keys.events(id), "pages"],
    queryFn: ({ pageParam, signal }) => askEvents(id, EVENTS_AT_ONCE, pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next ?? undefined,
  });

/** Beside the events: what is set aside is one. */
export const setAsidePagesQuery = (gateway: string) =>
  infiniteQueryOptions({
    queryKey: [...keys.events(gateway), "aside"],
    queryFn: ({ pageParam, signal }) =>
      take(
        api.GET("/api/v1/gateways/{id}/quarantine", {
          params: { path: { id: gateway }, query: { limit: EVENTS_AT_ONCE, after: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next ?? undefined,
  });

export const setAsideQuery = (gateway: string, batch: string) =>
  queryOptions({
    queryKey: keys.aside(gateway, batch),
    queryFn: ({ signal }) =>
      take(
        api.GET("/api/v1/gateways/{id}/quarantine/{batch}", {
          params: { path: { id: gateway, batch } },
          signal,
        }),
      ),
    staleTime: Infinity,
  });

export const configurationQuery = (gateway: string) =>
  queryOptions({
    queryKey: keys.configuration(gateway),
    queryFn: ({ signal }) =>
      take(api.GET("/api/v1/gateways/{id}/configuration", { params: { path: { id: gateway } }, signal })),
    retry: false,
  });

export const configurationPagesQuery = (gateway: string) =>
  infiniteQueryOptions({
    queryKey: [...keys.configuration(gateway), "versions"],
    queryFn: ({ pageParam, signal }) =>
      take(
        api.GET("/api/v1/gateways/{id}/configuration/versions", {
          params: { path: { id: gateway }, query: { limit: EVENTS_AT_ONCE, after: pageParam } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next ?? undefined,
  });

export const pastConfigurationsQuery = (gateway: string) =>
  queryOptions({
    queryKey: [...keys.configuration(gateway), "past"],
    queryFn: ({ signal }) =>
      take(
        api.GET("/api/v1/gateways/{id}/configuration/past", { params: { path: { id: gateway } }, signal }),
      ),
  });

export const pastConfigurationQuery = (gateway: string, digest: string) =>
  queryOptions({
    queryKey: [...keys.configuration(gateway), "past", digest],
    queryFn: ({ signal }) =>
      take(
        api.GET("/api/v1/gateways/{id}/configuration/past/{digest}", {
          params: { path: { id: gateway, digest } },
          signal,
        }),
      ),
  });

export const configurationVersionQuery = (gateway: string, version: number) =>
  queryOptions({
    queryKey: [...keys.configuration(gateway), "versions", version],
    queryFn: ({ signal }) =>
      take(
        api.GET("/api/v1/gateways/{id}/configuration/versions/{version}", {
          params: { path: { id: gateway, version } },
          signal,
        }),
      ),
  });

export const devicesQuery = queryOptions({
  queryKey: keys.devices,
  queryFn: ({ signal }) =>
    takeAll((after) =>
      take(api.GET("/api/v1/devices", { params: { query: { limit: LIMIT, after } }, signal })),
    ),
  refetchInterval: 30_000,
});

export const deviceQuery = (id: string) =>
  queryOptions({
    queryKey: keys.device(id),
    queryFn: ({ signal }) => take(api.GET("/api/v1/devices/{id}", { params: { path: { id } }, signal })),
  });

export const pointsQuery = (device: string) =>
  queryOptions({
    queryKey: keys.points(device),
    queryFn: ({ signal }) =>
      takeAll((after) =>
        take(api.GET("/api/v1/points", { params: { query: { limit: LIMIT, after, device } }, signal })),
      ),
    refetchInterval: 30_000,
  });

export const pointSearchQuery = (q: string) =>
  queryOptions({
    queryKey: ["points", "search", q],
    queryFn: ({ signal }) =>
      take(api.GET("/api/v1/points", { params: { query: { limit: 50, q } }, signal })).then(
        (page) => page.items,
      ),
    enabled: q.trim().length > 0,
    staleTime: 30_000,
  });

export const pointQuery = (id: number) =>
  queryOptions({
    queryKey: keys.point(id),
    queryFn: ({ signal }) => take(api.GET("/api/v1/points/{id}", { params: { path: { id } }, signal })),
    staleTime: 30_000,
  });

export interface CommandWish {
  gateway?: string;
  device?: string;
  state?: Command["state"];
}

/** The newest first, page by page. */
export const commandPagesQuery = (wish: CommandWish) =>
  infiniteQueryOptions({
    queryKey: [...keys.commands, "pages", wish],
    queryFn: ({ pageParam, signal }) =>
      take(
        api.GET("/api/v1/commands", {
          params: { query: { ...wish, limit: COMMANDS_AT_ONCE, ...(pageParam ? { after: pageParam } : {}) } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next ?? undefined,
    refetchInterval: 30_000,
  });

/** One with its story. */
export const commandQuery = (id: string) =>
  queryOptions({
    queryKey: keys.command(id),
    queryFn: ({ signal }) => take(api.GET("/api/v1/commands/{id}", { params: { path: { id } }, signal })),
    refetchInterval: 10_000,
  });

export const aboutQuery = queryOptions({
  queryKey: ["about"],
  queryFn: ({ signal }) => take(api.GET("/api/v1/about", { signal })),
  staleTime: MINUTE,
});

/** After a change somewhere below: what is shown is asked again. */
export const refresh = (client: QueryClient, ...which: (readonly unknown[])[]): Promise<void> =>
  Promise.all(which.map((queryKey) => client.invalidateQueries({ queryKey }))).then(() => undefined);
