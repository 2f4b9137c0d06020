"""The queues, in the order in which workers serve them."""

from typing import Final

QUEUE_HIGH: Final = "img_queue_high"
QUEUE: Final = "img_queue"
QUEUE_LOW: Final = "img_queue_low"
QUEUES: Final = (QUEUE_HIGH, QUEUE, QUEUE_LOW)
