// Who is logged in. The shell's guard has made sure that somebody is.
import { useQuery } from "@tanstack/react-query";

import { sessionQuery } from "../api/queries";
import type { Role, Session } from "../api/types";
import type { PlainKey } from "../i18n/i18n";

export function useSession(): Session | undefined {
  return useQuery(sessionQuery).data;
}

const RANK: Record<Role, number> = { viewer: 0, engineer: 1, admin: 2 };

/** What somebody may do, and if not, the reason to show. */
export interface May {
  allowed: boolean;
  why?: PlainKey;
}

/** A permission of its own, whatever the role. */
export function mayCommand(session: Session | undefined): May {
  return session?.user.commands ? { allowed: true } : { allowed: false, why: "may.command" };
}

export function atLeast(session: Session | undefined, role: "engineer" | "admin"): May {
  if (session && RANK[session.user.role] >= RANK[role]) return { allowed: true };
  return { allowed: false, why: role === "admin" ? "may.admin" : "may.engineer" };
}
