// What can be done to sites.
import { useMutation, useQueryClient } from "@tanstack/react-query";

import { api, take } from "../../api/client";
import { keys, refresh } from "../../api/queries";
import type { Site, SiteKind } from "../../api/types";

export interface SiteWords {
  kind: SiteKind;
  name: string;
  code?: string;
}

export function useAddSite() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ parent, ...words }: SiteWords & { parent: string | null }) =>
      take(
        api.POST("/api/v1/sites", {
          body: { kind: words.kind, name: words.name, parent, ...(words.code ? { code: words.code } : {}) },
        }),
      ),
    onSuccess: () => refresh(client, keys.sites),
  });
}

export function useChangeSite() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ site, name, code }: { site: Site; name: string; code?: string }) =>
      take(
        api.PATCH("/api/v1/sites/{id}", {
          params: { path: { id: site.id }, header: { "If-Match": `"${site.version}"` } },
          body: { name, code: code ?? "" },
        }),
      ),
    onSettled: () => refresh(client, keys.sites),
  });
}

export function useRemoveSite() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (site: Site) =>
      take(
        api.DELETE("/api/v1/sites/{id}", {
          params: { path: { id: site.id }, header: { "If-Match": `"${site.version}"` } },
        }),
      ),
    onSettled: () => refresh(client, keys.sites),
  });
}
