// What a person may do to accounts. Nobody locks themselves out.
import type { Session, User } from "../../api/types";
import { atLeast, type May } from "../../parts/session";

export const manage = (session: Session | undefined): May => atLeast(session, "admin");

export function disable(session: Session | undefined, user: User): May {
  if (session?.user.id === user.id) return { allowed: false, why: "may.self" };
  return manage(session);
}
