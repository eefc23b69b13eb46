// Sites as a tree, and what may stand in what.
import type { Site, SiteKind } from "../../api/types";

export const KINDS: SiteKind[] = ["campus", "building", "floor", "room"];

export interface SiteNode {
  site: Site;
  depth: number;
  children: number;
}

/** The kinds that may stand in a site of this kind; at the top, a campus or a building. */
export function kindsIn(parent: SiteKind | undefined): SiteKind[] {
  return parent === undefined ? ["campus", "building"] : KINDS.slice(KINDS.indexOf(parent) + 1);
}

/** Every site below its parent, siblings in the order of the language in use. */
export function siteRows(sites: Site[], collator: Intl.Collator): SiteNode[] {
  const known = new Set(sites.map((s) => s.id));
  const below = new Map<string | null, Site[]>();
  for (const site of sites) {
    // A site whose parent is not in the list is shown at the top instead of nowhere.
    const parent = site.parent && known.has(site.parent) ? site.parent : null;
    below.set(parent, [...(below.get(parent) ?? []), site]);
  }
  const rows: SiteNode[] = [];
  const walk = (parent: string | null, depth: number) => {
    const children = (below.get(parent) ?? []).sort((a, b) => collator.compare(a.name, b.name));
    for (const site of children) {
      rows.push({ site, depth, children: below.get(site.id)?.length ?? 0 });
      walk(site.id, depth + 1);
    }
  };
  walk(null, 0);
  return rows;
}
