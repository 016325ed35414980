"""What the tests that run the real programs share: starting and stopping them, the local API,
trees to publish, an edge with faults, and machines in network namespaces. Standard library only.

    SHOAL_BUILD   the build folder whose programs are used (default: build/debug or build/release)
    SHOAL_KEEP    1: working folders are kept, and named, for a look at the logs
"""
