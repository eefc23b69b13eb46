// What a command's state and a person's permission allow.
import type { Command, Session } from "../../api/types";
import { isOver } from "../../parts/command-words";
import { mayCommand, type May } from "../../parts/session";

/** Nobody agrees to their own command. */
export function approve(session: Session | undefined, command: Command): May {
  const may = mayCommand(session);
  if (may.allowed && session?.user.user === command.requester) {
    return { allowed: false, why: "command.why.own" };
  }
  return may;
}

export const reject = (session: Session | undefined): May => mayCommand(session);

/** Withdraws what has not gone out, gives up what has. */
export function end(session: Session | undefined, command: Command): May {
  if (isOver(command.state) || command.given_up) return { allowed: false, why: "command.why.over" };
  return mayCommand(session);
}
