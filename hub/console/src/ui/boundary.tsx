// Catches what a page throws while it is drawn, so that the rest of the console stays.
import { Component, type ReactNode } from "react";

interface Props {
  children: ReactNode;
  fallback: (error: Error, again: () => void) => ReactNode;
}

export class Boundary extends Component<Props, { error: Error | undefined }> {
  override state: { error: Error | undefined } = { error: undefined };

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (!error) return this.props.children;
    return this.props.fallback(error, () => this.setState({ error: undefined }));
  }
}
