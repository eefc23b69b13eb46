// What the tree's page keeps in the address: the chosen node, what was typed, the filter.
export interface ExploreSearch {
  /** `site:<id>` or `gateway:<id>`; a device has an address of its own. */
  node?: string;
  q?: string;
  only?: "silent";
  /** Devices out of use too, marked so. */
  unused?: "1";
}

export function readExploreSearch(raw: Record<string, unknown>): ExploreSearch {
  const search: ExploreSearch = {};
  if (typeof raw["node"] === "string" && /^(site|gateway):.+/.test(raw["node"])) search.node = raw["node"];
  if (typeof raw["q"] === "string" && raw["q"] !== "") search.q = raw["q"];
  if (raw["only"] === "silent") search.only = "silent";
  if (raw["unused"] === "1" || raw["unused"] === 1) search.unused = "1";
  return search;
}
