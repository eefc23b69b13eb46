// Sites as choices: each by its whole path, so that "B1" is not ambiguous.
import type { Site } from "../../api/types";

export function sitePath(sites: Site[], id: string | null | undefined): string {
  const names: string[] = [];
  let at = sites.find((s) => s.id === id);
  // Four kinds: more than eight steps up would be a circle.
  for (let step = 0; at && step < 8; step += 1) {
    names.unshift(at.name);
    const { parent } = at;
    at = parent ? sites.find((s) => s.id === parent) : undefined;
  }
  return names.join(" / ");
}

export function sitePaths(sites: Site[], collator: Intl.Collator): { value: string; label: string }[] {
  return sites
    .map((s) => ({ value: s.id, label: sitePath(sites, s.id) }))
    .sort((a, b) => collator.compare(a.label, b.label));
}
