// What can be done to gateways.
import { useMutation, useQueryClient } from "@tanstack/react-query";

import { api, take } from "../../api/client";
import { keys, refresh } from "../../api/queries";
import type { Gateway } from "../../api/types";

export function useEnrol() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (words: { name: string; site?: string }) =>
      take(api.POST("/api/v1/gateways", { body: { name: words.name, site: words.site ?? null } })),
    onSuccess: () => refresh(client, keys.gateways),
  });
}

export function useNewCode() {
  return useMutation({
    mutationFn: (gateway: Gateway) =>
      take(api.POST("/api/v1/gateways/{id}/code", { params: { path: { id: gateway.id } } })),
  });
}

export function useChangeGateway() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ gateway, ...body }: { gateway: Gateway; name: string; site: string | null }) =>
      take(
        api.PATCH("/api/v1/gateways/{id}", {
          params: { path: { id: gateway.id }, header: { "If-Match": `"${gateway.version}"` } },
          body,
        }),
      ),
    onSettled: (_, __, { gateway }) => refresh(client, keys.gateways, keys.gateway(gateway.id)),
  });
}

export function useRemove() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (gateway: Gateway) =>
      take(
        api.DELETE("/api/v1/gateways/{id}", {
          params: { path: { id: gateway.id }, header: { "If-Match": `"${gateway.version}"` } },
        }),
      ),
    onSuccess: (_, gateway) => {
      client.removeQueries({ queryKey: keys.gateway(gateway.id) });
      return refresh(client, keys.gateways);
    },
  });
}

export function useRevoke() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (gateway: Gateway) =>
      take(api.POST("/api/v1/gateways/{id}/revoke", { params: { path: { id: gateway.id } } })),
    onSettled: (_, __, gateway) => refresh(client, keys.gateways, keys.gateway(gateway.id)),
  });
}

/** A batch that was set aside, for good. */
export function useDiscard(gateway: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (batch: string) =>
      take(
        api.DELETE("/api/v1/gateways/{id}/quarantine/{batch}", { params: { path: { id: gateway, batch } } }),
      ),
    onSettled: () => refresh(client, keys.events(gateway)),
  });
}

/** What the gateway itself finds out of a text; nothing is changed. */
export function useCheckConfiguration(gateway: string) {
  return useMutation({
    mutationFn: (text: string) =>
      take(
        api.POST("/api/v1/gateways/{id}/configuration/check", {
          params: { path: { id: gateway } },
          body: { text },
        }),
      ),
  });
}

export function useConfigure(gateway: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { base: string; text: string; why: string; first_line?: string }) =>
      take(
        api.POST("/api/v1/gateways/{id}/configuration/versions", { params: { path: { id: gateway } }, body }),
      ),
    onSettled: () => refresh(client, keys.configuration(gateway)),
  });
}

export function useCancelConfiguration(gateway: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (version: number) =>
      take(
        api.POST("/api/v1/gateways/{id}/configuration/versions/{version}/cancel", {
          params: { path: { id: gateway, version } },
        }),
      ),
    onSettled: () => refresh(client, keys.configuration(gateway)),
  });
}

/** A text setting by setting, with one of them changed where that is asked for. Nothing is stored. */
export function useSettings() {
  return useMutation({
    mutationFn: (body: { text: string; set?: { path: string[]; value: string | null } }) =>
      take(api.POST("/api/v1/configuration/settings", { body })),
  });
}
