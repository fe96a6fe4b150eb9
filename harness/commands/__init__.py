"""What the commands do: typed options to calls, errors to one line and an exit code. One file per family of commands.

Imports light rooms only, and the heavy ones when they are needed: listing the commands must be quick.
"""
