// Whether a text holds every word that was typed, whatever the case.
export function matches(q: string, ...texts: (string | null | undefined)[]): boolean {
  const hay = texts.join(" ").toLowerCase();
  return q
    .toLowerCase()
    .split(/\s+/)
    .every((word) => hay.includes(word));
}
