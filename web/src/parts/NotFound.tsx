import { Link } from "../router.tsx";
import { Header } from "./Header.tsx";

export function NotFound({ title, detail }: { title: string; detail?: string }) {
  return (
    <>
      <Header>{null}</Header>
      <main className="message">
        <h1>{title}</h1>
        {detail && <p>{detail}</p>}
        <Link to="/" className="button">
          Back to the library
        </Link>
      </main>
    </>
  );
}
