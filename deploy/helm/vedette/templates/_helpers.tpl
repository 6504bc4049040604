{{/* The name of all objects, and of the fleet: at most 40 characters, so that there is room for a group's name behind it. */}}
{{- define "vedette.name" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* What selects the members. */}}
{{- define "vedette.selector" -}}
app.kubernetes.io/name: vedette
app.kubernetes.io/instance: {{ include "vedette.name" . }}
{{- end -}}

{{- define "vedette.labels" -}}
{{ include "vedette.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* One term of the members' anti-affinity; the topology is given. */}}
{{- define "vedette.apart" -}}
topologyKey: {{ .topology }}
labelSelector:
  matchLabels:
    {{- include "vedette.selector" .root | nindent 4 }}
{{- end -}}
