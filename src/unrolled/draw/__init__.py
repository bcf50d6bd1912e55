"""Pictures: a graph of equations becomes a scene, a scene becomes a file."""
