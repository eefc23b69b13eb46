// What the browser's tab, its history and a screen reader call the page.
import { useEffect } from "react";

const PRODUCT = "管家 Steward";

export function useTitle(title: string | undefined): void {
  useEffect(() => {
    document.title = title ? `${title} · ${PRODUCT}` : PRODUCT;
  }, [title]);
}
