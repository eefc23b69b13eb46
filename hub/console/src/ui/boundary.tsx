// Catches what a page throws while it is drawn, so that the rest of the console stays.
import { Component, type ReactNode } from "react";

interface Props {
  children: ReactNode;
  /** Which page is shown: another one gets its chance, and a page that goes on is not built anew. */
  at: string;
  fallback: (error: Error, again: () => void) => ReactNode;
}
interface State {
  at: string;
  error: Error | undefined;
}

export class Boundary extends Component<Props, State> {
  override state: State = { at: this.props.at, error: undefined };

  static getDerivedStateFromError(error: Error): Partial<State> {
    return { error };
  }

  static getDerivedStateFromProps(props: Props, state: State): State | null {
    return props.at === state.at ? null : { at: props.at, error: undefined };
  }

  override render(): ReactNode {
    const { error } = this.state;
    if (!error) return this.props.children;
    return this.props.fallback(error, () => this.setState({ error: undefined }));
  }
}
