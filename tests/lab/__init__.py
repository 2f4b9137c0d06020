"""A lab of throwaway Debian VPSs on one machine, under user-mode Linux; see docs/lab.md."""
