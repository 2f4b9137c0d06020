"""`python -m tests.simulators.telegram`: see docs/simulators.md."""

from tests.simulators import serve

from .server import TelegramServer
from .settings import Settings


def main() -> None:
    """Read the command line and serve until SIGTERM."""
    parser = serve.parser("A simulated Telegram Bot API with people", 8081)
    parser.add_argument("--token", default=Settings().token)
    parser.add_argument("--no-rate-limits", action="store_true", help="for load tests")
    given = parser.parse_args()
    settings = Settings(token=given.token, rate_limits=not given.no_rate_limits)
    serve.serve(TelegramServer(settings).app(), given.host, given.port)


main()
