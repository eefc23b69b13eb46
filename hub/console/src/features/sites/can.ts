// What a site's state and a person's role permit.
import { atLeast, type May } from "../../parts/session";
import type { Session } from "../../api/types";
import type { SiteNode } from "./site-tree";

export const change = (session: Session | undefined): May => atLeast(session, "engineer");

export function remove(session: Session | undefined, node: SiteNode, gateways: number): May {
  const may = change(session);
  if (!may.allowed) return may;
  if (node.children > 0) return { allowed: false, why: "site.why.children" };
  if (gateways > 0) return { allowed: false, why: "site.why.gateways" };
  return may;
}
