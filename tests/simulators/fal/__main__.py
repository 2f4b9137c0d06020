"""`python -m tests.simulators.fal`: see docs/simulators.md."""

from tests.simulators import serve

from .server import FalServer
from .settings import Settings


def main() -> None:
    """Read the command line and serve until SIGTERM."""
    usual = Settings()
    parser = serve.parser("A simulated fal.ai account", 8082)
    parser.add_argument("--key", default=usual.key)
    parser.add_argument("--median", type=float, default=usual.median_s, help="seconds a job runs")
    parser.add_argument("--p95", type=float, default=usual.p95_s, help="its 95th percentile")
    parser.add_argument("--seed", type=int, help="for the same latencies in every run")
    parser.add_argument("--picture-bytes", type=int, default=usual.picture_bytes)
    parser.add_argument("--picture-kind", choices=("png", "jpeg"), default=usual.picture_kind)
    parser.add_argument("--picture-side", type=int, default=usual.picture_side_max, help="longest side")
    parser.add_argument("--concurrency", type=int, default=usual.concurrency_limit)
    given = parser.parse_args()
    settings = Settings(
        key=given.key,
        median_s=given.median,
        p95_s=given.p95,
        seed=given.seed,
        picture_bytes=given.picture_bytes,
        picture_kind=given.picture_kind,
        picture_side_max=given.picture_side,
        concurrency_limit=given.concurrency,
    )
    serve.serve(FalServer(settings).app(), given.host, given.port)


main()
