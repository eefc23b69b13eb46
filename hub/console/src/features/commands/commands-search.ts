// What the page of commands keeps in the address: of whom, and whose story is open.
export interface CommandsSearch {
  gateway?: string;
  device?: string;
  /** The command whose story is open. */
  id?: string;
}

export function readCommandsSearch(raw: Record<string, unknown>): CommandsSearch {
  const search: CommandsSearch = {};
  for (const key of ["gateway", "device", "id"] as const) {
    const value = raw[key];
    if (typeof value === "string" && /^[0-9a-f-]{36}$/.test(value)) search[key] = value;
  }
  return search;
}
