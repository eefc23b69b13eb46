// What can be done to users.
import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { api, take, takeAll } from "../../api/client";
import { refresh } from "../../api/queries";
import type { Role, User } from "../../api/types";

const USERS = ["users"];

export const usersQuery = queryOptions({
  queryKey: USERS,
  queryFn: ({ signal }) =>
    takeAll((after) => take(api.GET("/api/v1/users", { params: { query: { limit: 500, after } }, signal }))),
});

export function useAddUser() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: { user: string; name: string; role: Role; commands: boolean; password: string }) =>
      take(api.POST("/api/v1/users", { body })),
    onSuccess: () => refresh(client, USERS),
  });
}

export function useEndSessions() {
  return useMutation({
    mutationFn: (user: User) =>
      take(api.POST("/api/v1/users/{id}/end-sessions", { params: { path: { id: user.id } } })),
  });
}

export function useChangeUser() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: ({
      user,
      ...body
    }: {
      user: User;
      name?: string;
      role?: Role;
      disabled?: boolean;
      commands?: boolean;
      password?: string;
    }) =>
      take(
        api.PATCH("/api/v1/users/{id}", {
          params: { path: { id: user.id }, header: { "If-Match": `"${user.version}"` } },
          body,
        }),
      ),
    onSettled: () => refresh(client, USERS),
  });
}
