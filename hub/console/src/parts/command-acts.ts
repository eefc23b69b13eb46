// What can be done with commands.
import { useMutation, useQueryClient } from "@tanstack/react-query";

import { api, take } from "../api/client";
import { keys, refresh } from "../api/queries";
import type { components } from "../api/schema";
import type { Command } from "../api/types";

export type NewCommand = components["schemas"]["NewCommand"];

export function useWrite() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: NewCommand) => take(api.POST("/api/v1/commands", { body })),
    onSettled: () => refresh(client, keys.commands),
  });
}

export function useApprove() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({ id }: Command) =>
      take(api.POST("/api/v1/commands/{id}/approve", { params: { path: { id } } })),
    onSettled: () => refresh(client, keys.commands),
  });
}

/** Rejects what waits for a second person; withdraws or gives up what does not. */
export function useEnd() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({
      command: { id },
      act,
      why,
    }: {
      command: Command;
      act: "reject" | "cancel";
      why: string;
    }) => {
      const params = { path: { id } };
      return act === "reject"
        ? take(api.POST("/api/v1/commands/{id}/reject", { params, body: { why } }))
        : take(api.POST("/api/v1/commands/{id}/cancel", { params, body: { why } }));
    },
    onSettled: () => refresh(client, keys.commands),
  });
}
