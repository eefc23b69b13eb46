// Files for the browser to keep: those made on the page, and those that the hub makes.
export function download(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  follow(url, name);
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Keeps what is at an address; without a name, under the one that its answer has. */
export function follow(url: string, name = ""): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}
